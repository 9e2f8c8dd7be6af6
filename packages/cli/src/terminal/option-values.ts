import { InvalidArgumentError } from 'commander';

/** Reads the value of an option that takes a number. @throws InvalidArgumentError, which Commander tells of, for any other. */
export function numberFrom(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

/** The longest name that the kernel gives an interface (IFNAMSIZ of linux/if.h, without its zero byte). */
const longestInterface = 15;

/** Reads the value of an option that takes names of interfaces, separated by commas. @throws InvalidArgumentError */
export function interfaceNames(text: string): string[] {
  const names = text.split(',').map(name => name.trim());
  const wrong = names.find(name => !/^[^\s/]+$/.test(name) || name.length > longestInterface);
  if (wrong === undefined) return names;
  throw new InvalidArgumentError('It must be names of interfaces, separated by commas: wlan0,wwan0.');
}
