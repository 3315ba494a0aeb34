"""One file for each DSPy concept; each recorder turns its calls into telemetry and knows no other recorder."""
