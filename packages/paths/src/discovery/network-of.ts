import { formatIpAddress, ManypathError, parseIpAddress } from '@manypath/core';

/** The kernel named an address that is none. */
export class AddressFromKernelError extends ManypathError {
  constructor(address: string) {
    super('MANYPATH_PATH_ADDRESS_INVALID', `the kernel gave a path the address ${address}, which is none`);
  }
}

/**
 * The network that an address lies in: its host bits set to zero.
 *
 * @throws AddressFromKernelError `MANYPATH_PATH_ADDRESS_INVALID`
 */
export function networkOf(address: string, prefixLength: number): string {
  const bytes = parseIpAddress(address)?.bytes;
  if (bytes === undefined) throw new AddressFromKernelError(address);
  return formatIpAddress(bytes.map((byte, position) => byte & maskByte(prefixLength - position * 8)));
}

function maskByte(bits: number): number {
  if (bits >= 8) return 0xff;
  return bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}
