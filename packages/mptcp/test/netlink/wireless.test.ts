import { expect, it } from 'vitest';
import { ssidText } from '../../src/netlink/wireless.ts';

const text = (value: string) => ssidText(new TextEncoder().encode(value));

it('gives the name of a wireless network as text', () => {
  expect(text('Home 5G')).toBe('Home 5G');
  expect(text('Café ☕')).toBe('Café ☕');
});

it('gives nothing for a hidden network, and for what cannot be a name', () => {
  expect(ssidText(undefined)).toBeUndefined();
  expect(ssidText(new Uint8Array())).toBeUndefined();
  expect(ssidText(new Uint8Array(8))).toBeUndefined();
  expect(ssidText(new Uint8Array(33).fill(65))).toBeUndefined();
});

it('lets nothing through that could steer a terminal', () => {
  expect(text('\u001B[31mred\u0007')).toBe('\uFFFD[31mred\uFFFD');
  expect(ssidText(Uint8Array.of(0x41, 0xff, 0x42))).toBe('A\uFFFDB');
});
