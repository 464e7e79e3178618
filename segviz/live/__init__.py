"""What travels to browsers past the pages' scripts: the news of a run as a stream, its pictures as files that are encoded once."""
