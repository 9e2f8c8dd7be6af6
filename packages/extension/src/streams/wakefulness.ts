/** How often the browser is asked something, in milliseconds: it ends a worker that asked nothing for 30 s. */
const askMs = 20_000;

/** Keeps the worker awake while somebody needs that. */
export class Wakefulness {
  #needs = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @returns What ends the need, once. */
  hold(): () => void {
    this.#needs += 1;
    this.#timer ??= setInterval(() => void chrome.runtime.getPlatformInfo(), askMs);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#needs -= 1;
      if (this.#needs > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }
}
