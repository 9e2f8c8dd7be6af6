/** Reads and drops whatever comes, into one buffer. Tells over IPC when a connection has ended. */
import { createServer, duplicateSocket, info, reasonText } from '@manypath/mptcp';
import type { SinkReport } from './messages.ts';

const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
const [host = '127.0.0.1', port = '0', mptcp = 'true'] = process.argv.slice(2);

const server = await createServer(
  { host, port: Number(port), mptcp: mptcp === 'true', pauseOnConnect: true },
  accepted => {
    let bytes = 0;
    const { multipath, reason } = info(accepted);
    const socket = duplicateSocket(accepted, {
      onread: {
        buffer,
        callback: length => {
          bytes += length;
          return true;
        },
      },
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      // One without a byte only asked whether a relay listens.
      if (bytes > 0) process.send?.({ bytes, multipath, reason: reasonText(reason) } satisfies SinkReport);
    });
    socket.resume();
  },
);
if (!server.listening) throw new Error('the sink does not listen');
process.send?.('ready');
