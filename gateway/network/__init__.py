"""What the gateway keeps of its dealings with a network of health records."""
