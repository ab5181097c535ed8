/** errand/testing: a system under virtual time, and single handlers without a system. */
export { type Answer, type Given, type GivenOptions, given, type Outcome } from './api/given.js';
export { startTestSystem, type TestSystem, type TestSystemOptions, VirtualClock } from './api/testing.js';
