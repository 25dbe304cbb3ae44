/** The same in docker-compose.yml; a test compares them. */
export const natsImage = 'nats:2.12-alpine';
export const postgresImage = 'postgres:18';
