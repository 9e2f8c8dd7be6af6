import { describe, expect, it } from 'vitest';
import { StallWatch } from '../src/steering/stall-watch.ts';

describe('a transfer whose path is left', () => {
  it('stood still from its last byte to the first one over another path', () => {
    const watch = new StallWatch();
    for (let at = 0; at <= 300; at += 30) expect(watch.look(at * 1000, at, at)).toBeUndefined();
    watch.left('wlan0', 500);
    expect(watch.look(300_000, 300, 600)).toBeUndefined();
    // Acknowledgements of small things are no progress of a download.
    expect(watch.look(300_000, 400, 650)).toBeUndefined();
    expect(watch.look(310_000, 400, 720)).toEqual({ path: 'wlan0', stallMs: 420 });
    expect(watch.look(320_000, 400, 750)).toBeUndefined();
  });

  it('is measured by what the other side has when it is an upload', () => {
    const watch = new StallWatch();
    for (let at = 0; at <= 300; at += 30) watch.look(at, at * 1000, at);
    watch.left('wlan0', 310);
    expect(watch.look(500, 300_000, 400)).toBeUndefined();
    expect(watch.look(500, 300_001, 550)).toEqual({ path: 'wlan0', stallMs: 250 });
  });

  it('is not there when nothing or little was carried, or when it was over', () => {
    const watch = new StallWatch();
    watch.look(10_000, 0, 0);
    watch.left('wlan0', 10);
    expect(watch.look(20_000, 0, 500)).toBeUndefined();
    watch.look(500_000, 0, 600);
    watch.left('wlan0', 9000);
    expect(watch.look(600_000, 0, 9100)).toBeUndefined();
  });
});
