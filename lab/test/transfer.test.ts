import { measureTransfer, TransferMeter } from '@manypath/lab';
import { expect, test } from 'vitest';

function meterWithClock(intervalMs = 100) {
  const clock = { ms: 1000 };
  return { clock, meter: new TransferMeter({ intervalMs, now: () => clock.ms }) };
}

test('the longest gap is the longest silence after the first byte', () => {
  const { clock, meter } = meterWithClock();
  clock.ms += 900;
  meter.add(1000);
  clock.ms += 50;
  meter.add(1000);
  clock.ms += 300;
  meter.add(1000);
  clock.ms += 40;
  meter.add(1000);
  const report = meter.report();
  expect(report).toMatchObject({
    bytes: 4000,
    firstByteMs: 900,
    longestGapMs: 300,
    longestGapAtMs: 950,
    durationMs: 1290,
  });
  expect(report.mbps).toBeCloseTo((4000 * 8) / 1000 / 1290);
});

test('silence at the end is a gap too', () => {
  const { clock, meter } = meterWithClock();
  meter.add(1);
  clock.ms += 5000;
  expect(meter.report().longestGapMs).toBe(5000);
});

test('without a byte there is no first byte and no gap', () => {
  const { clock, meter } = meterWithClock();
  clock.ms += 250;
  meter.add(0);
  expect(meter.report()).toMatchObject({ bytes: 0, firstByteMs: undefined, longestGapMs: 0, mbps: 0 });
  expect(meter.report().series.map(sample => sample.bytes)).toEqual([0, 0, 0]);
});

test('the series has every interval, empty ones and the unfinished last one', () => {
  const { clock, meter } = meterWithClock();
  clock.ms += 10;
  meter.add(12_500);
  clock.ms += 200;
  meter.add(6250);
  clock.ms += 40;
  const { series } = meter.report();
  expect(series).toEqual([
    { atMs: 100, bytes: 12_500, mbps: 1 },
    { atMs: 200, bytes: 0, mbps: 0 },
    { atMs: 250, bytes: 6250, mbps: 1 },
  ]);
});

test('sums are taken as well as parts', () => {
  const { clock, meter } = meterWithClock();
  meter.total(500);
  clock.ms += 20;
  meter.total(500);
  clock.ms += 30;
  meter.total(700);
  expect(meter.report()).toMatchObject({ bytes: 700, longestGapMs: 50 });
});

test('a stream is measured to its end, and every part is seen', async () => {
  const seen: number[] = [];
  async function* source() {
    yield new Uint8Array(3);
    yield new Uint8Array(4);
  }
  const report = await measureTransfer(source(), { onChunk: chunk => seen.push(chunk.length) });
  expect(report.bytes).toBe(7);
  expect(seen).toEqual([3, 4]);
});
