"""The classroom: the teacher's page and the students'."""
