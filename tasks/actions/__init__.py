"""Actions made into steps: what each kind does on a host, as shell text; pure."""
