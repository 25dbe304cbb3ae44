/** The same in docker-compose.yml; a test compares them. */
export const natsImage = 'nats:2.14-alpine';
export const postgresImage = 'postgres:18';
export const anvilImage = 'ghcr.io/foundry-rs/foundry:v1.7.1';
