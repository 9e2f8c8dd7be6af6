import { formatBytes, formatRate, type PathStatus } from '@manypath/core';

const kinds: Record<PathStatus['kind'], string> = {
  ethernet: 'Ethernet',
  wifi: 'Wi-Fi',
  cellular: 'Mobile network',
  usb: 'Phone by USB',
  virtual: 'Virtual link',
  unknown: 'Link',
};

/** What sort of path it is, for people. */
export function kindWords({ kind }: Pick<PathStatus, 'kind'>): string {
  return kinds[kind];
}

/** What a path carried, against its caps. */
export function usageWords({ usage }: Pick<PathStatus, 'usage'>): string {
  const { todayBytes, monthBytes, dailyCapBytes, monthlyCapBytes, capReached } = usage;
  const of = (cap: number | null): string => (cap === null ? '' : ` of ${formatBytes(cap)}`);
  const words = `${formatBytes(todayBytes)}${of(dailyCapBytes)} today, ${formatBytes(monthBytes)}${of(monthlyCapBytes)} this month`;
  return capReached ? `${words}: the cap is reached` : words;
}

/** Whether connections may use it now. */
export function isInUse({ health, tier }: Pick<PathStatus, 'health' | 'tier'>): boolean {
  return health !== 'dead' && health !== 'captive' && tier !== 'never';
}

/** @param bytesPerSecond @returns In bits, as people know their lines. */
export function rateWords(bytesPerSecond: number): string {
  return formatRate(bytesPerSecond * 8);
}
