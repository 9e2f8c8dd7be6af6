/** Numbers of the Linux ABI that this package uses, under their names in the kernel's headers. */

export const AF_INET = 2;
export const AF_INET6 = 10;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;

export const IPPROTO_TCP = 6;
/** RFC 8684 as a protocol number of socket(2), include/uapi/linux/in.h. */
export const IPPROTO_MPTCP = 262;

export const MSG_DONTWAIT = 0x40;

export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_TCP = 6;
export const SOL_IPV6 = 41;
export const SOL_MPTCP = 284;

export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_RCVBUFFORCE = 33;
export const SO_PRIORITY = 12;
export const SO_REUSEPORT = 15;
export const SO_RCVLOWAT = 18;
export const SO_BINDTODEVICE = 25;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_NETNS_COOKIE = 71;

export const TCP_MAXSEG = 2;
export const TCP_CORK = 3;
export const TCP_INFO = 11;
export const TCP_CONGESTION = 13;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_IS_MPTCP = 43;

export const IP_TOS = 1;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;
export const SO_KEEPALIVE = 9;

/** `SO_ORIGINAL_DST` and `IP6T_SO_ORIGINAL_DST`: where a connection went before netfilter redirected it. */
export const SO_ORIGINAL_DST = 80;

export const MPTCP_INFO = 1;
export const MPTCP_TCPINFO = 2;
export const MPTCP_SUBFLOW_ADDRS = 3;
export const MPTCP_FULL_INFO = 4;

export const CLONE_NEWNET = 0x40000000;
