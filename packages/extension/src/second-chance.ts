import { readChoice } from './choice.ts';

/** Something that this extension did by itself, for the user to see. */
export interface Note {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

/** Errors of a page that a change of the network causes, and that a second attempt gets over. */
const pageErrors = new Set(['net::ERR_NETWORK_CHANGED']);
/** The same of a download. */
const downloadErrors = new Set(['NETWORK_FAILED', 'NETWORK_TIMEOUT', 'NETWORK_DISCONNECTED']);
/** How long a page is not loaded again a second time, in milliseconds. */
const pageAgainMs = 60_000;
/** How often one download is resumed by itself. */
const mostResumed = 3;
/** Notes that are kept, until the browser ends. */
const mostNotes = 100;

/** Loads pages again, once, that a change of the network broke off. */
export function reloadBrokenPages(): void {
  chrome.webNavigation.onErrorOccurred.addListener(({ tabId, frameId, error }) => {
    if (frameId === 0 && pageErrors.has(error)) void reload(tabId);
  });
}

/** Resumes downloads that a change of the network broke off. */
export function resumeBrokenDownloads(): void {
  chrome.downloads.onChanged.addListener(({ id, state, error }) => {
    if (state?.current === 'interrupted' && downloadErrors.has(error?.current ?? '')) void resume(id);
  });
}

export async function readNotes(): Promise<readonly Note[]> {
  const { notes } = await chrome.storage.session.get('notes');
  return Array.isArray(notes) ? (notes as Note[]) : [];
}

async function reload(tabId: number): Promise<void> {
  if (!(await readChoice()).retry) return;
  const key = `reloaded ${tabId}`;
  const { [key]: before } = await chrome.storage.session.get(key);
  if (typeof before === 'number' && Date.now() - before < pageAgainMs) return;
  await chrome.storage.session.set({ [key]: Date.now() });
  await chrome.tabs.reload(tabId);
  await note('The network changed while a page was loading, so it was loaded again.');
}

async function resume(id: number): Promise<void> {
  if (!(await readChoice()).retry) return;
  const [download] = await chrome.downloads.search({ id });
  if (download?.canResume !== true) return;
  const key = `resumed ${id}`;
  const { [key]: times } = await chrome.storage.session.get(key);
  const before = typeof times === 'number' ? times : 0;
  if (before >= mostResumed) return;
  await chrome.storage.session.set({ [key]: before + 1 });
  await chrome.downloads.resume(id);
  await note('The network changed during a download, so it was resumed.');
}

/** No host and no file is named: what somebody visited is not kept. */
async function note(message: string): Promise<void> {
  const notes = [...(await readNotes()), { at: Date.now(), text: message }].slice(-mostNotes);
  await chrome.storage.session.set({ notes });
  chrome.notifications.create({
    type: 'basic',
    iconUrl: 'icon-128.png',
    title: 'Manypath',
    message,
    silent: true,
  });
}
