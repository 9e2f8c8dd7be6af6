/** Public key of the extension, as its manifest names it: an RSA key in SPKI form, base64. It fixes {@link extensionId}. */
export const extensionKey =
  'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAl9oq+Ya1U7beQv1KgfwWOS30G4/CWcXxup4HGyH9Zq6RmQFniC0sYzF1whK2t0ot1yNXCb6DUwN3TwF1Mks9hXOOKxj3uMeqFOGJz+guXmjtw+afVCyyj77X/NVH4nvrpqO3I2n+V5f8mPQj6YCR4vlvosSf5CjB1gsBN9LgwfQMorep5kJmQewofgfv+TkxuSoMCT3qXrlAUeDLFB3OQmJEtCOBgnImiDlWdsF0cEIoz1IzkzZeQLl4a3jkiackcJE9HPL400IOim4vE0Qyztfj0vDb8Miw+GD1OJlY+SK4W0Zun3jgRdOmlSNx8jEQQ4fe/YuzsUl/TXVPu+ZwswIDAQAB';

/** The id of the extension in every browser: the first 32 hexadecimal digits of the key's SHA-256, written with a–p. */
export const extensionId = 'fpceefpkbkmidmafhgoekijclnihghjb';

/** The name under which browsers know the native messaging host. */
export const nativeHostName = 'org.manypath.host';
