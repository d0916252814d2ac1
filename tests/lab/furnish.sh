#!/bin/sh
# Gives a PC of the lab what QTrobot's PCs have and HARMONI's stacks mount: the user's home with the
# workspace in it, a camera's and a sound card's device nodes (with nothing behind them), the time
# zone. All of it is the PC's own: the machine's /home and /dev stay as they are.
#
# usage, inside the PC: sh furnish.sh
set -eu
private=/run/furnished
mkdir -p "$private"
mount -t tmpfs -o mode=755 lab "$private"

mkdir "$private/upper" "$private/work"
mount -t overlay -o "lowerdir=/home,upperdir=$private/upper,workdir=$private/work" lab /home
home=/home/qtrobot
config=$home/harmoni_catkin_ws/src/HARMONI/dockerfiles/config
mkdir -p "$config" "$home/.ssh" "$home/.vim"
touch "$home/.gitconfig" "$home/.vimrc" "$config/asoundrc"
echo 'echo "setup_script.sh was here"' | tee "$config/setup_script.sh" >"$config/dev_setup_script.sh"

mkdir "$private/dev"
cp -ax /dev/. "$private/dev"
for mounted in pts shm; do
    mount --rbind "/dev/$mounted" "$private/dev/$mounted"
done
rm -rf "$private/dev/video0" "$private/dev/snd"
mkdir "$private/dev/snd"
mknod -m 660 "$private/dev/video0" c 81 0
mknod -m 660 "$private/dev/snd/controlC0" c 116 0
mount --rbind "$private/dev" /dev

[ -e /etc/timezone ] || echo Etc/UTC >/etc/timezone
[ -e /etc/localtime ] || echo UTC0 >/etc/localtime
