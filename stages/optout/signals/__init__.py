"""Every signal but the Allow and Disallow lines of robots.txt: what owners say in other files, headers and pages."""
