export { type Clock, SimulatedClock, systemClock, type Timer } from './clock.ts';
export { errorCode, errorMessage, ManypathError, type ManypathErrorOptions } from './errors.ts';
