import type { ControlHello, ControlMethod } from '@manypath/core';
import { type ReadonlySignal, signal } from '@preact/signals';
import { HostPort, type HostState } from './host-port.ts';
import { applyChoice } from './proxy-setting.ts';

/** Pause before a host that ended is started again, in milliseconds. */
const againMs = 1000;

/** A page's conversation with the gateway. It is taken up again by itself for as long as the page is open. */
export class GatewaySession {
  readonly #state = signal<HostState>({ kind: 'connecting' });
  readonly #onReady: (hello: ControlHello) => void;
  #port: HostPort | undefined;

  /** @param onReady Called whenever a gateway is there, at first or again. */
  constructor(onReady: (hello: ControlHello) => void) {
    this.#onReady = onReady;
    this.#connect();
  }

  get state(): ReadonlySignal<HostState> {
    return this.#state;
  }

  get isReady(): boolean {
    const state = this.#state.value;
    return state.kind === 'notice' && state.notice.gateway === 'ready';
  }

  /** Asks the gateway. Rejects with its message when it refuses, or with one of ours when it is not there. */
  async ask<Answer>(method: ControlMethod, params?: unknown): Promise<Answer> {
    if (this.#port === undefined || !this.isReady) throw new Error('the gateway is not running');
    return (await this.#port.ask(method, params)) as Answer;
  }

  #connect(): void {
    this.#port = new HostPort(state => {
      this.#state.value = state;
      if (state.kind === 'no-host') setTimeout(() => this.#connect(), againMs);
      if (state.kind !== 'notice' || state.notice.hello === null) return;
      const { hello } = state.notice;
      void applyChoice(hello).then(() => this.#onReady(hello));
    });
  }
}
