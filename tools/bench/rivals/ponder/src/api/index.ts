import { Hono } from 'hono';

// Ponder does not start without a server for its answers, although nobody asks here.
export default new Hono();
