#!/bin/sh
# Turns fresh network, mount and UTS namespaces into one PC of the lab, says "ready", and holds
# them open until standard input ends.
#
# usage: unshare --net --mount --uts --propagation slave sh namespaces.sh NAME FOLDER NAMESERVER
set -eu
name=$1 folder=$2 nameserver=$3
private=$folder/private

# What must not be seen outside, or must vanish with the PC, lives in memory: the kernel frees it
# when the last process is gone, whatever killed it.
mount -t tmpfs -o mode=755 lab "$private"
for changed in /etc /var/lib; do
    upper=$private$changed/upper work=$private$changed/work
    mkdir -p "$upper" "$work"
    mount -t overlay -o "lowerdir=$changed,upperdir=$upper,workdir=$work" lab "$changed"
done
# A Docker or a macvlan-ros of the machine's own is not this PC's.
for hidden in /etc/docker /etc/macvlan-ros /var/lib/docker /var/lib/macvlan-ros; do
    mkdir -p "$private$hidden" "$hidden"
    mount --bind "$private$hidden" "$hidden"
done

hostname "$name"
echo "$name" >/etc/hostname
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >/etc/hosts
rm -f /etc/resolv.conf
# Nobody answers there; that is soon found out, instead of after ten seconds.
printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$nameserver" >/etc/resolv.conf

# /sys shows the interfaces of the namespace that mounted it; dockerd needs the cgroups in it.
mkdir "$private/cgroup"
mount --rbind /sys/fs/cgroup "$private/cgroup"
mount -t sysfs sysfs /sys
mount --move "$private/cgroup" /sys/fs/cgroup

# The same folder inside and outside, so that a socket in it can be reached from either side.
mount --bind "$folder/run" /run
mkdir -p -m 700 /run/home
mkdir -p -m 1777 /run/lock

# As systemd leaves it, and last: what is shared cannot be moved. The machine sees nothing of it,
# for these mounts are slaves of its own.
mount --make-rshared /
# A new network namespace begins with the machine's IPv4 settings: all labs shall be alike, and the
# switch pass nothing on although a Docker of the machine's own has switched forwarding on.
for settings in all default; do
    for setting in rp_filter arp_ignore arp_announce arp_filter proxy_arp; do
        echo 0 >"/proc/sys/net/ipv4/conf/$settings/$setting"
    done
done
echo 0 >/proc/sys/net/ipv4/ip_forward
ip link set lo up
echo ready
exec cat >/dev/null
