# The admin API. Build from the root: docker build -f deploy/docker/api.Dockerfile --build-arg COMMIT=$(git rev-parse HEAD) .
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
# docker exec API node tools/skein.mjs status
COPY tools/skein.mjs tools/
ARG COMMIT=unknown
ENV NODE_ENV=production \
    SKEIN_NODE_COMMIT=$COMMIT \
    SKEIN_LOG_FORMAT=json \
    SKEIN_OPS_HOST=0.0.0.0 \
    SKEIN_API_HOST=0.0.0.0
USER node
EXPOSE 8080 9465
ENTRYPOINT ["node", "--enable-source-maps", "dist/apps/api/src/main.js"]
