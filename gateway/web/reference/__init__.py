"""What the gateway says about itself: `/openapi.json` for programs and `/docs` for people, from the same tables."""
