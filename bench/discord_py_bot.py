"""A minimal bot with discord.py: acknowledges /ping, posts a card, answers. What drbot is measured beside."""

import sys

import discord
from discord import app_commands
from yarl import URL

BASE = sys.argv[1].rstrip("/")
discord.http.Route.BASE = f"{BASE}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = URL(BASE.replace("http", "ws", 1))

GUILD = discord.Object(100_000_000_000_000_001)


class Bot(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents(guilds=True))
        self.tree = app_commands.CommandTree(self)

    async def setup_hook(self):
        self.tree.add_command(ping, guild=GUILD)
        await self.tree.sync(guild=GUILD)


@app_commands.command(name="ping", description="Does nothing")
async def ping(interaction: discord.Interaction):
    await interaction.response.defer(ephemeral=True)
    embed = discord.Embed(title="/ping", description="Done")
    await interaction.channel.send(embed=embed)
    await interaction.edit_original_response(content="Done")


Bot().run("rehearsal-token", log_handler=None)
