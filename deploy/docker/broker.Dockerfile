# A broker node. Build from the root: docker build -f deploy/docker/broker.Dockerfile --build-arg COMMIT=$(git rev-parse HEAD) .
FROM node:24-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm install --no-progress
COPY . .
RUN npm run build

FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc LICENSE ./
RUN npm install --omit=dev --no-progress && npm cache clean --force
COPY --from=build /src/dist dist
ARG COMMIT=unknown
ENV NODE_ENV=production \
    SKEIN_NODE_COMMIT=$COMMIT \
    SKEIN_LOG_FORMAT=json \
    SKEIN_OPS_HOST=0.0.0.0 \
    SKEIN_LISTENERS_TCP_HOST=0.0.0.0 \
    SKEIN_LISTENERS_WS_HOST=0.0.0.0
USER node
EXPOSE 1883 8083 9464
ENTRYPOINT ["node", "--enable-source-maps", "dist/apps/broker/src/main.js"]
