import { configureGlobal } from 'fast-check';

/** All random cases of a run are made from one seed, so that a failure can be seen again. */
configureGlobal({ seed: Number(process.env.MANYPATH_SEED) });
