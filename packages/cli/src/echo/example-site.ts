import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { HttpRequestHead } from '@manypath/core';
import { WebSocketConnection, webSocketKey } from '@manypath/gateway';
import { packageFolder } from '../own-files.ts';
import { type EchoService, serveEcho } from './echo-services.ts';

/** What there is to fetch, with its type. */
const files: Readonly<Record<string, readonly [string, string]>> = {
  '/': ['example/index.html', 'text/html; charset=utf-8'],
  '/example.js': ['example/example.js', 'text/javascript; charset=utf-8'],
  '/example.css': ['example/example.css', 'text/css; charset=utf-8'],
  '/manypath-page.js': ['dist/manypath-page.js', 'text/javascript; charset=utf-8'],
};

/** Bytes of one message of the WebSocket. */
const messageBytes = 16_777_216;

/** A site that shows what streams can do, and the same service by a plain WebSocket under `/ws`, to compare with. */
export function exampleSite(service: EchoService, echo: { readonly port: number }): Server {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const [file, type] = (Object.hasOwn(files, path) && files[path]) || [];
    if (path === '/settings.json') {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ service, port: echo.port }));
    } else if (file === undefined || type === undefined) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('There is no such page.\n');
    } else {
      response.setHeader('Content-Type', type);
      response.setHeader('Cache-Control', 'no-store');
      response.end(readFileSync(join(packageFolder('@manypath/page'), file)));
    }
  });
  server.on('upgrade', (request, socket) => {
    const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)] as const);
    const head: HttpRequestHead = {
      method: request.method ?? '',
      target: request.url ?? '',
      version: '1.1',
      headers,
    };
    const key = webSocketKey(head);
    if (key === undefined) return void socket.destroy();
    const [input, output] = [new PassThrough(), new PassThrough()];
    const connection = new WebSocketConnection(
      socket,
      { key, messageBytes },
      {
        onMessage: bytes => void input.write(bytes),
        onDrain: () => void output.resume(),
        onClose: () => void input.end(),
      },
    );
    output.on('data', (chunk: Buffer) => {
      connection.send(chunk);
      if (connection.isFull) output.pause();
    });
    void serveEcho(service, input, output).catch(() => connection.close(1011));
  });
  return server;
}
