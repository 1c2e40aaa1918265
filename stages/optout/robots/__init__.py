"""robots.txt: what a file says to an agent, under RFC 9309 and under the older reading."""
