"""Sign-in at OpenID providers: OpenID Connect Core 1.0 and Discovery 1.0, by aiohttp and joserfc."""
