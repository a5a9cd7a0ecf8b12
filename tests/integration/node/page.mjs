// What a page of the tests holds: the clients, for the driver to call.

import { cancel, received, start } from "./calls.mjs";

globalThis.clients = { cancel, received, start };
