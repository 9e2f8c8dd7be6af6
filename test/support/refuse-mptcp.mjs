// refuse-mptcp.mjs ERRNO COMMAND…: runs a command to which the kernel refuses Multipath TCP sockets, as kernels without it
// (EPROTONOSUPPORT, 93) and security policies (EPERM, 1) do. By a seccomp filter, which children inherit (seccomp(2)).
import { spawn } from 'node:child_process';
import koffi from 'koffi';

const [errno, command, ...parameters] = process.argv.slice(2);
const socketCall = { x64: 41, arm64: 198 }[process.arch];
const [load, jumpIfEqual, answer] = [0x20, 0x15, 0x06];
const filter = [
  [load, 0, 0, 0],
  [jumpIfEqual, 0, 3, socketCall],
  // The low half of the third argument (struct seccomp_data).
  [load, 0, 0, 32],
  [jumpIfEqual, 0, 1, 262],
  [answer, 0, 0, 0x50000 + Number(errno)],
  [answer, 0, 0, 0x7fff0000],
];
const program = Buffer.alloc(filter.length * 8);
for (const [position, [code, yes, no, value]] of filter.entries()) {
  program.writeUInt16LE(code, position * 8);
  program.writeUInt8(yes, position * 8 + 2);
  program.writeUInt8(no, position * 8 + 3);
  program.writeUInt32LE(value, position * 8 + 4);
}
const Program = koffi.struct('sock_fprog', { len: 'uint16', filter: 'void *' });
const libc = koffi.load('libc.so.6');
const setFlag = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
const setFilter = libc.func('prctl', 'int', ['int', 'unsigned long', koffi.pointer(Program)]);
const [noNewPrivileges, seccomp, filterMode] = [38, 22, 2];
if (setFlag(noNewPrivileges, 1, 0, 0, 0) !== 0) throw new Error('no_new_privs was refused');
if (setFilter(seccomp, filterMode, { len: filter.length, filter: program }) !== 0) {
  throw new Error('the filter was refused');
}
const child = spawn(command, parameters, { stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => child.kill(signal));
child.once('exit', code => process.exit(code ?? 1));
