"""Docker Swarm: releases as stacks, on many nodes."""
