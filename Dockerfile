# One image for the services and for a development chain: `otaniemi` and, from npm, `anvil`.
FROM node:20-bookworm-slim AS tools
WORKDIR /tools
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm
COPY --from=tools /tools/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil /usr/local/bin/anvil
WORKDIR /app
COPY . .
RUN pip install --no-cache-dir -c constraints.txt . \
    && useradd --create-home --uid 1000 otaniemi \
    && install -d -o otaniemi /data
USER 1000
WORKDIR /data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["otaniemi"]
CMD ["--help"]
