"""The live file system: reading what is there, leaving out what was asked for, writing trees back."""
