import { once } from 'node:events';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { type Authority, formatAuthority, parseListen } from '@manypath/core';
import { GatewayListenError } from '@manypath/gateway';
import { type Command, Option } from 'commander';
import { type EchoService, echoServices, serveEcho } from '../echo/echo-services.ts';
import { exampleSite } from '../echo/example-site.ts';
import { EventOutput } from '../terminal/events.ts';
import { untilSignal } from '../until-signal.ts';

interface ServeEchoOptions {
  listen: string;
  page: string | false;
  service: EchoService;
  json: boolean;
}

/** `manypath serve-echo`: something to open streams to, and a page that does. */
export function addServeEchoCommand(program: Command): void {
  program
    .command('serve-echo')
    .summary('a TCP service to try streams with, and a page that opens them')
    .description(
      'Serves TCP, and a site whose page opens streams to it. In another terminal:\n' +
        '  manypath browse http://127.0.0.1:7080\n' +
        'echo sends back what it gets, upper in capitals; sink takes everything and\n' +
        'tells at the end how much it was and its SHA-256; source sends as many bytes\n' +
        'as the first line says. The site speaks the same by WebSocket under /ws.',
    )
    .option('--listen <host:port>', 'where the service listens; port 0 takes a free one', '127.0.0.1:7007')
    .option('--page <host:port>', 'where the site listens; port 0 takes a free one', '127.0.0.1:7080')
    .option('--no-page', 'no site')
    .addOption(new Option('--service <name>', 'what it does').choices([...echoServices]).default('echo'))
    .option('--json', 'print one JSON object a line on stdout', false)
    .action(runServeEcho);
}

async function runServeEcho({ listen, page, service, json }: ServeEchoOptions): Promise<void> {
  const signalled = untilSignal();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    // Who breaks off has a reason of their own.
    socket.on('error', () => {});
    serveEcho(service, socket, socket).catch(() => socket.destroy());
  });
  const place = parseListen(listen, { host: '127.0.0.1', port: 7007 });
  const pagePlace = page === false ? undefined : parseListen(page, { host: '127.0.0.1', port: 7080 });
  const echo = await listenOn(server, place);
  const site = pagePlace === undefined ? undefined : await listenOn(exampleSite(service, echo), pagePlace);
  new EventOutput(json).emit({ event: 'ready', listen: echo, page: site ?? null, service });
  if (!json) {
    process.stdout.write(`The service ${service} listens on ${formatAuthority(echo)}.\n`);
    if (site !== undefined) process.stdout.write(`A page for it: http://${formatAuthority(site)}/\n`);
  }
  await signalled;
  process.exit();
}

async function listenOn(server: Server, { host, port }: Authority): Promise<Authority> {
  try {
    server.listen({ host, port, backlog: 4096 });
    await once(server, 'listening');
  } catch (error) {
    throw new GatewayListenError(formatAuthority({ host, port }), error);
  }
  const address = server.address();
  return typeof address === 'object' && address !== null
    ? { host: address.address, port: address.port }
    : { host, port };
}
