// For pages without modules of their own: one script tag puts the client into `globalThis.liftrelay`.

import * as liftrelay from "./liftrelay.js";

Object.assign(globalThis, { liftrelay });
