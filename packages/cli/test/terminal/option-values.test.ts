import { describe, expect, it } from 'vitest';
import { interfaceNames, numberFrom } from '../../src/terminal/option-values.ts';

describe('the value of an option', () => {
  it('that is a number lies within its bounds', () => {
    const read = numberFrom(1, 10_000);
    expect(['1', '32', '0.5e2', '10000'].map(read)).toEqual([1, 32, 50, 10_000]);
    for (const wrong of ['', ' ', '0', '-1', '10001', '1e99', 'Infinity', 'NaN', '3 MB', 'x']) {
      expect(() => read(wrong)).toThrow('It must be a number from 1 to 10000.');
    }
  });

  it('that names interfaces has at least one, and none that cannot be', () => {
    expect(interfaceNames('wlan0')).toEqual(['wlan0']);
    expect(interfaceNames('wlan0, wwan0,eth0.7')).toEqual(['wlan0', 'wwan0', 'eth0.7']);
    for (const wrong of ['', ',', ',,', 'a,,b', 'a/b', 'a b', 'sixteen-letters-']) {
      expect(() => interfaceNames(wrong)).toThrow('names of interfaces');
    }
  });
});
