/** The same in docker-compose.yml; a test compares them. */
export const natsImage = 'nats:2.14-alpine';
export const postgresImage = 'postgres:18';
