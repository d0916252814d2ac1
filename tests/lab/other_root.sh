#!/bin/sh
# Runs a program of another Debian with that Debian's files as its root, in this PC of the lab.
#
# usage: unshare --mount --propagation unchanged sh other_root.sh TREE WORK PROGRAM [ARGUMENT...]
#
# TREE is only read. What the program shares with the PC: /proc, /sys, /dev, /run and /tmp, its own
# folders of Docker's, and how names are resolved. A pivot_root, not a chroot: Docker mounts its / anew.
set -eu
tree=$1 work=$2
shift 2
programs=$(dirname "$0")/engine

mkdir -p "$work"
# From here on no mount of this namespace's is seen in the PC, but those below /run, /var/lib/docker.
mount -t tmpfs -o mode=755 other "$work"
mount --make-private "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" other "$work/root"
cd "$work/root"
for shared in proc sys dev run tmp etc/docker var/lib/docker; do
    mkdir -p "$shared"
    mount --rbind "/$shared" "$shared"
done
cp /etc/resolv.conf /etc/hosts /etc/hostname etc
mkdir -p usr/local/bin
[ -e usr/bin/sh ] || ln -s busybox usr/bin/sh
cp "$programs"/* usr/local/bin
mkdir before
pivot_root . before
# these are the tree's own programs: the PC's would not find their libraries any more
/bin/busybox mount --make-rprivate /before
/bin/busybox umount -l /before
cd /
exec "$@"
