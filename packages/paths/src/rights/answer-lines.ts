import type { Socket } from 'node:net';
import { encodeJsonLine, errorCode, errorMessage, JsonLineDecoder, SerialQueue } from '@manypath/core';
import { pathsLimits } from '../limits.ts';

/**
 * Answers what a client of the helper asks, one after the other. Whoever asks faster than he is answered, or does not read the
 * answers, waits: nothing piles up on this side. A line that is none, or too long, is answered and ends the connection.
 *
 * @param answer Makes the answer to a message. What it throws ends the connection.
 */
export function answerLines(socket: Socket, answer: (message: unknown) => Promise<object>): void {
  const decoder = new JsonLineDecoder(pathsLimits.helperLineBytes);
  const answers = new SerialQueue(() => socket.destroy());
  socket.on('data', bytes => {
    socket.pause();
    try {
      for (const message of decoder.push(bytes)) {
        answers.post(async () => {
          // Nobody wants to have done what he asked for and did not wait for.
          if (!socket.destroyed) socket.write(encodeJsonLine(await answer(message)));
        });
      }
    } catch (error) {
      socket.end(encodeJsonLine(failure(null, error)));
    }
    void answers.idle.then(() => {
      if (socket.writableNeedDrain) socket.once('drain', () => socket.resume());
      else socket.resume();
    });
  });
}

/** The answer to something that failed. */
export function failure(id: unknown, error: unknown): object {
  return { id, ok: false, code: errorCode(error) ?? 'ERROR', message: errorMessage(error) };
}
