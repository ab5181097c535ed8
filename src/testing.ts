/** errand/testing: a system under virtual time, and single handlers without a system. */
export { type Given, given, type Outcome, startTestSystem, type TestSystem, type TestSystemOptions, VirtualClock } from './api/testing.js';
