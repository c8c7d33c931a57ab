"""The archive of users' events: files of some users' events each, so that erasing a user rewrites few of them."""
