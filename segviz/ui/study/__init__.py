"""What Curves and Leaderboard share."""
