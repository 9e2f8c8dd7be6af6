const steps = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** Bytes for people, in powers of ten: `999 B`, `1.2 kB`, `34 MB`. */
export function formatBytes(bytes: number): string {
  return `${withPrefix(bytes)}B`;
}

/** A rate for people: `56.3 Mbit/s`. */
export function formatRate(bitsPerSecond: number): string {
  return `${withPrefix(bitsPerSecond)}bit/s`;
}

/** A duration for people: `230 ms`, `4.2 s`, `3 min 5 s`, `2 h 4 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${threeDigits(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function withPrefix(value: number): string {
  let step = 0;
  let scaled = value;
  while (scaled >= 999.5 && step < steps.length - 1) {
    scaled /= 1000;
    step += 1;
  }
  return `${step === 0 ? Math.round(scaled) : threeDigits(scaled)} ${steps[step] ?? ''}`;
}

function threeDigits(value: number): string {
  return value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
}
