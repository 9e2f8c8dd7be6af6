/**
 * Names the day that a moment lies in, by the clock on the wall here: `2025-03-30`. Names compare like the days they
 * stand for; a day may have 23 or 25 hours.
 */
export function dayOf(moment: Date): string {
  return dayName(moment.getFullYear(), moment.getMonth(), moment.getDate());
}

/**
 * Names the first day of the month that a moment lies in, where months begin on `resetDay`, or on the last day of those
 * that have no such day.
 */
export function monthStartOf(moment: Date, resetDay: number): string {
  const [year, month] = [moment.getFullYear(), moment.getMonth()];
  const here = Math.min(resetDay, daysIn(year, month));
  if (moment.getDate() >= here) return dayName(year, month, here);
  const [beforeYear, before] = month === 0 ? [year - 1, 11] : [year, month - 1];
  return dayName(beforeYear, before, Math.min(resetDay, daysIn(beforeYear, before)));
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
}

function dayName(year: number, month: number, day: number): string {
  const two = (number: number): string => `${number}`.padStart(2, '0');
  return `${`${year}`.padStart(4, '0')}-${two(month + 1)}-${two(day)}`;
}
