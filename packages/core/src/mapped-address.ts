/** An IPv4 address as an IPv6 socket has it (RFC 4291 §2.5.5.2); an IPv6 address as it is. */
export function mappedAddress(address: string): string {
  return address.includes(':') ? address : `::ffff:${address}`;
}

/** An IPv4 address that an IPv6 socket has, as such; every other address as it is. */
export function unmappedAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
