export { FolderBusyError } from './errors.ts';
export { withFolderLock } from './folder-lock.ts';
export { JsonStore, type JsonStoreOptions, unwritableCondition } from './json-store.ts';
export { filesLimits } from './limits.ts';
export { makeFolder } from './make-folder.ts';
export { type ReadOptions, readOrdinaryFile } from './ordinary-file.ts';
export { ownFolder, privateFolder, readPrivateFile } from './private-file.ts';
export { createFile, replaceFile, type WriteOptions } from './replace-file.ts';
