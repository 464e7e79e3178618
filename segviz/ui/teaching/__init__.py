"""What the pages Lessons and Classroom share: steps with their questions, and predictions by hand."""
