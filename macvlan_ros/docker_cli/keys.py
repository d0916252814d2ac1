"""Which key of a stack file stands for which flag of `docker run`."""

#: Flags with a value that is the key's.
TEXTS = {
    "hostname": "hostname",
    "domainname": "domainname",
    "user": "user",
    "workdir": "working_dir",
    "ipc": "ipc",
    "pid": "pid",
    "platform": "platform",
    "restart": "restart",
    "runtime": "runtime",
    "shm-size": "shm_size",
    "stop-signal": "stop_signal",
    "memory": "mem_limit",
    "pull": "pull_policy",
    "cgroup-parent": "cgroup_parent",
    "cgroupns": "cgroup",
    "cpu-period": "cpu_period",
    "cpu-quota": "cpu_quota",
    "cpu-rt-period": "cpu_rt_period",
    "cpu-rt-runtime": "cpu_rt_runtime",
    "cpu-shares": "cpu_shares",
    "cpuset-cpus": "cpuset",
    "memory-reservation": "mem_reservation",
    "memory-swap": "memswap_limit",
    "memory-swappiness": "mem_swappiness",
    "oom-score-adj": "oom_score_adj",
    "pids-limit": "pids_limit",
    "userns": "userns_mode",
    "uts": "uts",
}
#: Flags that are on or off.
SWITCHES = {
    "init": "init",
    "interactive": "stdin_open",
    "tty": "tty",
    "privileged": "privileged",
    "read-only": "read_only",
    "oom-kill-disable": "oom_kill_disable",
}
#: Flags of which a line may have several.
LISTS = {
    "add-host": "extra_hosts",
    "cap-add": "cap_add",
    "cap-drop": "cap_drop",
    "device": "devices",
    "device-cgroup-rule": "device_cgroup_rules",
    "dns": "dns",
    "dns-option": "dns_opt",
    "dns-search": "dns_search",
    "group-add": "group_add",
    "label": "labels",
    "sysctl": "sysctls",
    "tmpfs": "tmpfs",
}
#: Those of `healthcheck`.
HEALTH = {
    "health-cmd": "test",
    "health-interval": "interval",
    "health-timeout": "timeout",
    "health-retries": "retries",
    "health-start-period": "start_period",
}
_OPEN = "every port is open on the container's own address"
#: Those that a stack has no need of, and why; "" where that needs no word.
NEEDLESS = {
    "name": "",
    "detach": "",
    "attach": "",
    "sig-proxy": "",
    "detach-keys": "",
    "quiet": "",
    "env": "",
    "rm": "launch keeps containers, and down removes them",
    "cidfile": "the container has a name",
    "publish": _OPEN,
    "publish-all": _OPEN,
    "expose": _OPEN,
    "ip6": "the network has IPv4 alone",
    "link": "services find each other by name; one more name is an alias at the other's networks",
    "volumes-from": "write the volumes of the other container here, too",
}
#: What the LAN's address makes out of date.
ROS = {
    "ROS_IP": "launch sets it to the container's address",
    "ROS_HOSTNAME": "it would beat ROS_IP",
}
