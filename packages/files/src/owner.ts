/**
 * Whoever owns a folder or a file can change it at any moment. So it has to be this user's, or root's, who can do that anyway. With
 * sudo the user who called it counts as well: its folders may still be used.
 *
 * @throws an error with code `EPERM`
 */
export function checkOwner(place: string, { uid }: { readonly uid: number }): void {
  const own = process.geteuid?.();
  const caller = own === 0 && process.env.SUDO_UID !== undefined ? Number(process.env.SUDO_UID) : undefined;
  if (own === undefined || uid === 0 || uid === own || uid === caller) return;
  throw Object.assign(new Error(`${place} belongs to another user (${uid})`), { code: 'EPERM' });
}
